"""Small scripts that show what true findings say, on the packages' own source."""
