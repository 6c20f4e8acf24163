//! What goes where: the mapping file.
