"""Reports: from run folders, or a file of scores, to tables, figures and one page."""
