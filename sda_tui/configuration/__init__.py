"""The user's configuration file: what it may hold, and reading it.

Imports no Textual and no engine.  Every command begins with it, so the package itself imports nothing:
`location` is quick, the rest is for those who have such a file.
"""
