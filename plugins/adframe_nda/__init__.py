"""A method inspired by NDA (Chen et al., IJCAI 2021), of which only the idea is public here."""
