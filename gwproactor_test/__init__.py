"""What a test suite of gwproactor, or of a program built on it, imports."""
