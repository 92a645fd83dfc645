"""versions: the steps from no table to the tables of schema.py, each naming the one before."""
