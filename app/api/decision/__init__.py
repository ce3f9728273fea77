"""What decision clients send and get: System One's form, OpenAI's and SGLang's, and the typed questions that all three are read as."""
