"""The studio: a page to see, steer, edit and give away faces, and the API behind it."""
