"""What trained models look at in a molecule: what changes without an atom, and which atoms attention goes to."""
