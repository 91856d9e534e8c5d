"""What a site does with an order, the same in every engine; and the guards of all that leaves."""
