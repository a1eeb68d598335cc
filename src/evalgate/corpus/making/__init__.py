"""One module a task: scenes whose facts are known, so that the right answer and each wrong one are right and wrong by construction."""
