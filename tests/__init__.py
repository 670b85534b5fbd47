"""The tests: one folder per room of the package, and e2e/ for the installed command."""
