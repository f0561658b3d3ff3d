"""Many runs of one command: checked together, trained or submitted as jobs, and waited for."""
