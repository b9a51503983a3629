"""The file system as events use it: every call that can fail, from a thread of its own."""
