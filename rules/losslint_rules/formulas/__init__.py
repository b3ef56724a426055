"""Known formulas whose coefficients, signs and pieces are fixed by mathematics."""
