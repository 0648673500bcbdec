"""An agent's conversation with its model, kept within the model's window and the budget."""
