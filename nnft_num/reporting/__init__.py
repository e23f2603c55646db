"""Reports as text, tables, pages, articles and figures."""
