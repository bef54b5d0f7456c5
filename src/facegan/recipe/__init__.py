"""Recipes: everything that decides what a run computes."""

from facegan.recipe.recipe import LENGTH as LENGTH
from facegan.recipe.recipe import Recipe as Recipe
from facegan.recipe.recipe import difference as difference
from facegan.recipe.recipe import leaves as leaves
from facegan.recipe.recipe import recipe_names as recipe_names
from facegan.recipe.recipe import shipped_text as shipped_text
from facegan.recipe.stages import Stage as Stage
from facegan.recipe.stages import stage_at as stage_at
from facegan.recipe.stages import stage_starts as stage_starts
