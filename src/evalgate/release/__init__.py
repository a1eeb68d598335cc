"""What happens to a model after its decision: signatures of people, promotion, verification, serving. All of it begins at the gate."""
