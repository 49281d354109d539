"""What a dataset holds and what an encoding makes of it, before anything is trained."""
