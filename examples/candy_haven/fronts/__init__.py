"""What puts Candy Haven on the web: one thin file for each framework."""
