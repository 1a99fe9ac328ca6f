NAME = "with an example"
