"""Jobs: carry out a plan in the background and watch it from any kernel, now or later."""
