"""What trained models look at in a molecule, by occlusion of atoms and by the attention that atoms get."""
