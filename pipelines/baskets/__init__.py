"""Baskets without dates: lists for each customer's next basket, and how good they are."""
