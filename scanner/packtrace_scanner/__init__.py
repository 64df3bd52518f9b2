"""The client: reads the codes from pictures and cameras and shows the verdict."""
