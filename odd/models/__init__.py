"""Language models: protocols, transformers models, exact tables, and the models bundled with the installation."""
