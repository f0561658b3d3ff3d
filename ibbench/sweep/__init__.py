"""Many runs: checked together, trained or submitted, waited for."""
