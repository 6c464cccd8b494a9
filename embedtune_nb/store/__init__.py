"""The home folder: names, locks, events and atomically published folders."""
