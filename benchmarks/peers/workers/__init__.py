"""One script for each peer: the only places that know how its library is used."""
