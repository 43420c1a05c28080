"""pydicom's own tests with and without dicoxide: a pytest plugin for them, and a comparison of the outcomes."""
