"""Many runs: trials, each stored once under the hash of its content, on any number of cores."""
