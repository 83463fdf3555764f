"""Sources taken apart: circles of files, sites of mutants, copies to break. Knows no other room."""
