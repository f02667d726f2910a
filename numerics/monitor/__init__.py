"""The ε-rank and the floor of a network, watched inside anyone's training loop."""
