"""Recipes: everything that decides what a run computes."""

from facegan.recipe.recipe import Recipe as Recipe
from facegan.recipe.recipe import difference as difference
from facegan.recipe.recipe import recipe_names as recipe_names
from facegan.recipe.recipe import shipped_text as shipped_text
