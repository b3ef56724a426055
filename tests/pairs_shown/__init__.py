"""One function for each pair of fixtures/pairs, named after it: does this module show the bug?"""
