"""Words and pictures: how results are written for people and for programs."""
