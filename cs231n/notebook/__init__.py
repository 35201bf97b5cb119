"""What a notebook needs besides its subject; lessons import it from :mod:`cs231n.lesson`."""
