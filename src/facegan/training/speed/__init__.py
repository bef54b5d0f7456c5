"""What training costs on this machine: counted, measured, and set against its limits."""
