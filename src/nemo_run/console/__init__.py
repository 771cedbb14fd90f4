"""What a person sees: tables, trees, times, live progress. No file and no engine is read here."""
