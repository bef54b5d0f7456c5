"""Several methods, equal budgets, several seeds: what holds, and how surely."""
