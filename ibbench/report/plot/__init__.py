"""Pictures of a study and of molecules, drawn with matplotlib and RDKit so that they can be read without colour."""
