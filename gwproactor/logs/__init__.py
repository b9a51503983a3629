"""What becomes of a record of the log on its way to the files and the screen."""
