"""How good an encoder is on held-out data, and whether another one is better. Never imports torch itself."""
