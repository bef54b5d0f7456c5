"""How good, how varied, how much copied: pictures judged beside real ones, whoever made them."""
