"""Language models: protocols, transformers models, exact tables, and the models that come with the installation."""
