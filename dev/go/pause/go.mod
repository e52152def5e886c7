module panosc.eu/dev/pause

go 1.26
