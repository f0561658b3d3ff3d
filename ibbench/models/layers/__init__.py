"""What models share: the blocks of the recipe, attention, distances."""
