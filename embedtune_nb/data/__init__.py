"""Examples with roles: reading, cleaning, describing and splitting them. Never imports torch."""
