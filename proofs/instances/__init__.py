"""Networks and populations on which statements are certified."""
