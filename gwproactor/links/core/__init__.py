"""What decides in a link: nothing here waits, looks at a clock, or touches a socket or a file."""
