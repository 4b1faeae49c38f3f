"""The domain's rules: pure functions of what they are given; time and randomness are passed in."""
