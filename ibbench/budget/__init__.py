"""What a model costs, and the width at which all models cost the same."""
