PLACE = "beside"
